#pragma once

#include <stdint.h>

#include <random>

inline uint32_t esp_random() {
  static std::random_device source;
  return source();
}
