// Ask Facegate who is in front of an ESP32-CAM (AI-Thinker), with ESP-IDF 5.1 or later and esp-mqtt.
//
// The picture is published at QoS 1 in pieces of 4 kB. esp-mqtt keeps a copy of each message in its outbox until the
// broker acknowledges it. With pieces, two copies of 4 kB exist at a time instead of a copy of the whole picture.

#include <esp_camera.h>
#include <esp_event.h>
#include <esp_log.h>
#include <esp_netif.h>
#include <esp_random.h>
#include <esp_timer.h>
#include <freertos/FreeRTOS.h>
#include <freertos/queue.h>
#include <freertos/task.h>
#include <mqtt_client.h>
#include <nvs_flash.h>
#include <protocol_examples_common.h>

#include <atomic>

#include "facegate_device.h"

namespace {

// "mqtts://…:8883" for a broker with TLS, with its certificate authority below.
constexpr const char *kUri = "mqtt://192.168.1.10:1883";
constexpr const char *kUser = nullptr, *kPassword = nullptr, *kCaCertificate = nullptr;
constexpr const char *kBase = "facegate", *kCamera = "porch";
// All in milliseconds.
constexpr uint32_t kInterval = 5000, kDeadline = 30000, kFirstPause = 2500, kLongestPause = 10000;
constexpr size_t kPieceBytes = 4096;
constexpr int kOutboxBytes = 2 * kPieceBytes;
constexpr const char *kTag = "facegate";

struct Message {
  char topic[facegate::kTopicBytes];
  char text[facegate::kVerdictBytes];
  size_t length;
};

std::atomic<bool> connected{false};
QueueHandle_t messages;
esp_mqtt_client_handle_t client;

uint32_t now() { return static_cast<uint32_t>(esp_timer_get_time() / 1000); }

facegate::Request request(kBase, kCamera, facegate::Pause(kFirstPause, kLongestPause), kDeadline);

// Runs in the task of esp-mqtt. The main task takes the messages from the queue.
void take_event(void *, esp_event_base_t, int32_t id, void *data) {
  const auto *event = static_cast<esp_mqtt_event_handle_t>(data);
  char topic[facegate::kTopicBytes];
  if (id == MQTT_EVENT_CONNECTED) {
    request.write_verdict_filter(topic);
    esp_mqtt_client_subscribe_single(client, topic, 1);
    request.write_status_topic(topic);
    esp_mqtt_client_publish(client, topic, "online", 0, 1, 1);
    connected = true;
  } else if (id == MQTT_EVENT_DISCONNECTED) {
    connected = false;
  } else if (id == MQTT_EVENT_DATA) {
    Message message{};
    const auto topic_length = static_cast<size_t>(event->topic_len), length = static_cast<size_t>(event->data_len);
    // A verdict fits into one event. A part of a larger message has no topic, or less than its total.
    if (topic_length == 0 || topic_length >= sizeof message.topic) return;
    if (length >= sizeof message.text || event->data_len != event->total_data_len) return;
    memcpy(message.topic, event->topic, topic_length);
    memcpy(message.text, event->data, length);
    message.length = length;
    xQueueSend(messages, &message, 0);
  }
}

// Publish all pieces. Return false if the connection was lost: then all are published again later.
bool publish_picture(const camera_fb_t &picture) {
  const auto pieces = static_cast<unsigned>((picture.len + kPieceBytes - 1) / kPieceBytes);
  for (unsigned piece = 0; piece < pieces; ++piece) {
    while (connected && esp_mqtt_client_get_outbox_size(client) >= kOutboxBytes) vTaskDelay(pdMS_TO_TICKS(10));
    const size_t start = piece * kPieceBytes, left = picture.len - start;
    char topic[facegate::kTopicBytes];
    request.write_piece_topic(topic, piece, pieces);
    const int length = static_cast<int>(left < kPieceBytes ? left : kPieceBytes);
    if (!connected) return false;
    if (esp_mqtt_client_publish(client, topic, reinterpret_cast<char *>(picture.buf) + start, length, 1, 0) < 0) {
      return false;
    }
  }
  return true;
}

void take_messages(TickType_t wait) {
  Message message;
  while (xQueueReceive(messages, &message, wait) == pdTRUE) {
    request.take_message(message.topic, message.text, message.length, now(), esp_random());
    wait = 0;
  }
}

// Ask about one picture. This returns after a verdict, or after the deadline.
void ask(const camera_fb_t &picture) {
  request.begin(now());
  while (!request.is_finished(now())) {
    if (connected && request.is_due(now())) {
      if (!publish_picture(picture)) ESP_LOGW(kTag, "The picture was not published completely.");
      request.record_sent(now(), esp_random());
    }
    take_messages(pdMS_TO_TICKS(20));
  }
  const char *verdict = request.verdict();
  ESP_LOGI(kTag, "%s", verdict[0] != '\0' ? verdict : "no verdict");
}

void start_camera() {
  // The pins of the AI-Thinker board.
  camera_config_t config = {};
  config.pin_pwdn = 32;
  config.pin_reset = -1;
  config.pin_xclk = 0;
  config.pin_sccb_sda = 26;
  config.pin_sccb_scl = 27;
  config.pin_d7 = 35;
  config.pin_d6 = 34;
  config.pin_d5 = 39;
  config.pin_d4 = 36;
  config.pin_d3 = 21;
  config.pin_d2 = 19;
  config.pin_d1 = 18;
  config.pin_d0 = 5;
  config.pin_vsync = 25;
  config.pin_href = 23;
  config.pin_pclk = 22;
  config.xclk_freq_hz = 20000000;
  config.ledc_timer = LEDC_TIMER_0;
  config.ledc_channel = LEDC_CHANNEL_0;
  config.pixel_format = PIXFORMAT_JPEG;
  config.frame_size = FRAMESIZE_SVGA;
  config.jpeg_quality = 12;
  config.fb_count = 1;
  config.fb_location = CAMERA_FB_IN_PSRAM;
  config.grab_mode = CAMERA_GRAB_WHEN_EMPTY;
  ESP_ERROR_CHECK(esp_camera_init(&config));
}

void start_mqtt() {
  static char status[facegate::kTopicBytes];
  request.write_status_topic(status);
  esp_mqtt_client_config_t config = {};
  config.broker.address.uri = kUri;
  config.broker.verification.certificate = kCaCertificate;
  config.credentials.client_id = kCamera;
  config.credentials.username = kUser;
  config.credentials.authentication.password = kPassword;
  config.session.keepalive = 30;
  config.session.last_will.topic = status;
  config.session.last_will.msg = "offline";
  config.session.last_will.qos = 1;
  config.session.last_will.retain = 1;
  // Random, so that cameras that lost one broker do not all come back at once.
  config.network.reconnect_timeout_ms = static_cast<int>(2000 + esp_random() % 3000);
  client = esp_mqtt_client_init(&config);
  ESP_ERROR_CHECK(esp_mqtt_client_register_event(client, MQTT_EVENT_ANY, take_event, nullptr));
  ESP_ERROR_CHECK(esp_mqtt_client_start(client));
}

}  // namespace

extern "C" void app_main() {
  ESP_ERROR_CHECK(nvs_flash_init());
  ESP_ERROR_CHECK(esp_netif_init());
  ESP_ERROR_CHECK(esp_event_loop_create_default());
  ESP_ERROR_CHECK(example_connect());
  messages = xQueueCreate(8, sizeof(Message));
  // The random numbers of the ESP32 are good while its radio works.
  request.set_boot(esp_random());
  start_camera();
  start_mqtt();
  while (true) {
    // The driver filled its buffer when the last picture was given back: that picture is old.
    camera_fb_t *old = esp_camera_fb_get();
    if (old != nullptr) esp_camera_fb_return(old);
    camera_fb_t *picture = esp_camera_fb_get();
    if (picture != nullptr) {
      ask(*picture);
      esp_camera_fb_return(picture);
    }
    vTaskDelay(pdMS_TO_TICKS(kInterval));
  }
}
