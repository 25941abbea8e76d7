#pragma once

#include <unistd.h>

#include "FreeRTOS.h"

inline void vTaskDelay(TickType_t ticks) { usleep(ticks * 1000); }
