// The camera driver of Espressif, as far as the clients use it. The pictures are the files that FACEGATE_TEST_PICTURES
// names, divided by colons, each in turn.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

typedef int esp_err_t;
constexpr esp_err_t ESP_OK = 0;

enum { LEDC_TIMER_0, LEDC_CHANNEL_0, PIXFORMAT_JPEG, FRAMESIZE_SVGA, CAMERA_FB_IN_PSRAM, CAMERA_GRAB_WHEN_EMPTY };

struct camera_config_t {
  int pin_pwdn, pin_reset, pin_xclk, pin_sccb_sda, pin_sccb_scl, pin_d7, pin_d6, pin_d5, pin_d4, pin_d3, pin_d2, pin_d1,
      pin_d0, pin_vsync, pin_href, pin_pclk, xclk_freq_hz, ledc_timer, ledc_channel, pixel_format, frame_size,
      jpeg_quality, fb_count, fb_location, grab_mode;
};

struct camera_fb_t {
  uint8_t *buf;
  size_t len;
};

struct HostCamera {
  std::vector<std::string> paths;
  std::string held;
  camera_fb_t buffer{};
  size_t next = 0;
  bool is_held = false;
};

inline HostCamera &host_camera() {
  static HostCamera camera;
  return camera;
}

inline esp_err_t esp_camera_init(const camera_config_t *) {
  std::istringstream names(getenv("FACEGATE_TEST_PICTURES"));
  for (std::string name; std::getline(names, name, ':');) host_camera().paths.push_back(name);
  return ESP_OK;
}

// As in the driver with one buffer, the picture is the one of the time when the buffer was given back: the first call
// returns the picture before the one that a test expects.
inline camera_fb_t *esp_camera_fb_get() {
  HostCamera &camera = host_camera();
  if (camera.is_held || camera.paths.empty()) return nullptr;
  std::ifstream file(camera.paths[camera.next++ / 2 % camera.paths.size()], std::ios::binary);
  camera.held.assign(std::istreambuf_iterator<char>(file), {});
  camera.buffer.buf = reinterpret_cast<uint8_t *>(&camera.held[0]);
  camera.buffer.len = camera.held.size();
  camera.is_held = true;
  return &camera.buffer;
}

inline void esp_camera_fb_return(camera_fb_t *) { host_camera().is_held = false; }
