#pragma once

#include "esp_camera.h"

inline esp_err_t nvs_flash_init() { return ESP_OK; }
