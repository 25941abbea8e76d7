#pragma once

#include "esp_camera.h"

inline esp_err_t example_connect() { return ESP_OK; }
