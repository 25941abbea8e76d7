#pragma once

#include <stdint.h>

#include <chrono>

inline int64_t esp_timer_get_time() {
  // Near the overflow of 32 bits of milliseconds, so that each test sees it.
  using namespace std::chrono;
  static const auto start = steady_clock::now();
  return 0xFFFFF000ll * 1000 + duration_cast<microseconds>(steady_clock::now() - start).count();
}
