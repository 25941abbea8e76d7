// Ask Facegate who is in front of an ESP32-CAM (AI-Thinker), with Arduino and PubSubClient 2.8.
//
// A picture is published again with the same id until a verdict comes or the deadline has passed. PubSubClient publishes
// at QoS 0 only: a request may be lost, so the repetition is what makes the reply certain.
// Open this folder in the Arduino IDE, change the constants, and choose the board "AI Thinker ESP32-CAM".

#include <PubSubClient.h>
#include <WiFi.h>
#include <WiFiClientSecure.h>
#include <esp_camera.h>

#include "facegate_device.h"

const char *const WIFI_NAME = "my network", *const WIFI_PASSWORD = "my password";
const char *const HOST = "192.168.1.10";
const uint16_t PORT = 1883;
// The login of the broker, or nullptr for a broker without logins.
const char *const USER = nullptr, *const PASSWORD = nullptr;
const char *const BASE = "facegate", *const CAMERA = "porch";
// For a broker with TLS: its certificate authority, as text with "-----BEGIN CERTIFICATE-----". Then use port 8883.
const char *const CA_CERTIFICATE = nullptr;
// All in milliseconds.
const uint32_t INTERVAL = 5000, DEADLINE = 30000, FIRST_PAUSE = 2500, LONGEST_PAUSE = 10000;
// The white lamp of the board lights up for a known person. Let nothing open a door: Facegate takes a photograph held
// before the camera for the person.
const int LAMP = 4;
const size_t WRITE_BYTES = 4096;

WiFiClient plain;
WiFiClientSecure secure;
PubSubClient mqtt;
facegate::Request request(BASE, CAMERA, facegate::Pause(FIRST_PAUSE, LONGEST_PAUSE), DEADLINE);
facegate::Pause reconnect_pause(1000, 30000);
uint32_t next_connect = 0, next_picture = 0;
camera_fb_t *picture = nullptr;

Client &connection() {
  if (CA_CERTIFICATE != nullptr) return secure;
  return plain;
}

void take_message(char *topic, uint8_t *payload, unsigned int length) {
  request.take_message(topic, reinterpret_cast<const char *>(payload), length, millis(), esp_random());
}

bool connect_broker() {
  char status[facegate::kTopicBytes], verdicts[facegate::kTopicBytes];
  request.write_status_topic(status);
  request.write_verdict_filter(verdicts);
  if (!mqtt.connect(CAMERA, USER, PASSWORD, status, 1, true, "offline")) {
    Serial.printf("The broker cannot be used (state %d of PubSubClient).\n", mqtt.state());
    return false;
  }
  return mqtt.subscribe(verdicts, 1) && mqtt.publish(status, "online", true);
}

// Write the picture to the connection piece by piece: no buffer has to hold it.
bool publish_picture() {
  char topic[facegate::kTopicBytes];
  request.write_topic(topic);
  if (!mqtt.beginPublish(topic, picture->len, false)) return false;
  size_t written = 0;
  while (written < picture->len) {
    const size_t left = picture->len - written;
    const size_t more = mqtt.write(picture->buf + written, left < WRITE_BYTES ? left : WRITE_BYTES);
    if (more == 0) {
      // The broker waits for the rest of this message, so nothing else can be sent on this connection.
      connection().stop();
      return false;
    }
    written += more;
  }
  return mqtt.endPublish();
}

bool take_picture() {
  // The driver filled its buffer when the last picture was given back: that picture is old.
  camera_fb_t *old = esp_camera_fb_get();
  if (old != nullptr) esp_camera_fb_return(old);
  picture = esp_camera_fb_get();
  return picture != nullptr;
}

void finish_picture() {
  const char *verdict = request.verdict();
  Serial.println(verdict[0] != '\0' ? verdict : "no verdict");
  digitalWrite(LAMP, facegate::is_match(verdict) ? HIGH : LOW);
  esp_camera_fb_return(picture);
  picture = nullptr;
  next_picture = millis() + INTERVAL;
}

void start_camera() {
  // The pins of the AI-Thinker board. Other boards: see CameraWebServer among the examples of the Arduino IDE.
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
  // SVGA, 800 x 600: docs/how-to/choose-and-mount-a-camera.md says for which distance.
  config.frame_size = FRAMESIZE_SVGA;
  // 0 is the best, 63 the worst. Above about 20 the faces lose detail.
  config.jpeg_quality = 12;
  config.fb_count = 1;
  config.fb_location = CAMERA_FB_IN_PSRAM;
  config.grab_mode = CAMERA_GRAB_WHEN_EMPTY;
  while (esp_camera_init(&config) != ESP_OK) {
    Serial.println("The camera does not answer: check its cable and the pins above.");
    delay(5000);
  }
}

void setup() {
  Serial.begin(115200);
  pinMode(LAMP, OUTPUT);
  start_camera();
  WiFi.mode(WIFI_STA);
  WiFi.setAutoReconnect(true);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  // The random numbers of the ESP32 are good while its radio works.
  request.set_boot(esp_random());
  if (CA_CERTIFICATE != nullptr) secure.setCACert(CA_CERTIFICATE);
  mqtt.setClient(connection());
  mqtt.setServer(HOST, PORT);
  mqtt.setCallback(take_message);
  mqtt.setKeepAlive(30);
  // `connect` waits for the broker for so many seconds.
  mqtt.setSocketTimeout(5);
}

void loop() {
  if (!mqtt.loop() && WiFi.status() == WL_CONNECTED && facegate::has_come(next_connect, millis())) {
    if (connect_broker()) {
      reconnect_pause.reset();
    } else {
      mqtt.disconnect();
    }
    next_connect = millis() + reconnect_pause.take(esp_random());
  }
  if (picture == nullptr && facegate::has_come(next_picture, millis()) && take_picture()) request.begin(millis());
  if (picture != nullptr) {
    if (mqtt.connected() && request.is_due(millis())) {
      publish_picture();
      request.record_sent(millis(), esp_random());
    }
    if (request.is_finished(millis())) finish_picture();
  }
  delay(10);
}
