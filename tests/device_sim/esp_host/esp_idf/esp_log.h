#pragma once

#include <stdio.h>

#define ESP_LOGI(tag, format, ...) (printf(format "\n", __VA_ARGS__), fflush(stdout))
#define ESP_LOGW(tag, format) fprintf(stderr, format "\n")
