// The TLS client of Arduino for the ESP32, as far as the sketch uses it.
#pragma once

#include "WiFi.h"

class WiFiClientSecure : public Client {
 public:
  void setCACert(const char *certificate) { authority = certificate; }
};
