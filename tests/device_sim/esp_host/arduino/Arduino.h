// The core of Arduino for the ESP32, as far as the sketch uses it.
#pragma once

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <chrono>
#include <random>

enum { LOW, HIGH, OUTPUT };

inline uint32_t millis() {
  // Near the end of its range, so that each test sees the counter overflow.
  using namespace std::chrono;
  static const auto start = steady_clock::now();
  return 0xFFFFF000u + static_cast<uint32_t>(duration_cast<milliseconds>(steady_clock::now() - start).count());
}
inline void delay(uint32_t ms) { usleep(ms * 1000); }
inline uint32_t esp_random() {
  static std::random_device source;
  return source();
}
inline void pinMode(int, int) {}
inline void digitalWrite(int pin, int value) {
  printf("pin %d %s\n", pin, value == HIGH ? "high" : "low");
  fflush(stdout);
}

struct HostSerial {
  void begin(int) {}
  void println(const char *text) {
    puts(text);
    fflush(stdout);
  }
  __attribute__((format(printf, 2, 3))) void printf(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    fflush(stdout);
  }
};
inline HostSerial Serial;

void setup();
void loop();
