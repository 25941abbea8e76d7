#pragma once

#include "esp_camera.h"

typedef const char *esp_event_base_t;

#define ESP_ERROR_CHECK(call)                   \
  do {                                          \
    if ((call) != ESP_OK) {                     \
      fprintf(stderr, "this failed: %s\n", #call); \
      abort();                                  \
    }                                           \
  } while (false)

inline esp_err_t esp_event_loop_create_default() { return ESP_OK; }
