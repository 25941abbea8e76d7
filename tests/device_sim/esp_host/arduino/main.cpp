// Runs the sketch, as the core of Arduino does.
#include "Arduino.h"
// The sketch is compiled as C++ with this header before it, as the Arduino IDE does.
#include SKETCH

int main() {
  setup();
  while (true) loop();
}
