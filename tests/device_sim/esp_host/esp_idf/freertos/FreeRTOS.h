// FreeRTOS, as far as the client uses it. A tick is a millisecond.
#pragma once

#include <stdint.h>

typedef uint32_t TickType_t;
constexpr int pdTRUE = 1, pdFALSE = 0;
constexpr TickType_t pdMS_TO_TICKS(uint32_t ms) { return ms; }
