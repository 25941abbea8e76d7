// The Wi-Fi of Arduino for the ESP32, as far as the sketch uses it: always connected.
#pragma once

#include "Arduino.h"

enum { WIFI_STA, WL_CONNECTED };

struct HostWiFi {
  void mode(int) {}
  void setAutoReconnect(bool) {}
  void begin(const char *, const char *) {}
  int status() { return WL_CONNECTED; }
};
inline HostWiFi WiFi;

class Client {
 public:
  virtual ~Client() = default;
  void stop() { stopped = true; }
  const char *authority = nullptr;
  bool stopped = false;
};
class WiFiClient : public Client {};
