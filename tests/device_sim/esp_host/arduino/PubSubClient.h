// PubSubClient 2.8, as far as the sketch uses it, with the network of libmosquitto.
//
// As in the original: publications have QoS 0, sessions are clean, a message that does not fit into the buffer of 256
// bytes is dropped without a notice, and `connect` waits for the broker.
#pragma once

#include <mosquitto.h>
#include <stdlib.h>

#include <fstream>
#include <string>

#include "WiFi.h"

class PubSubClient {
 public:
  static constexpr size_t kBufferBytes = 256;

  PubSubClient &setClient(Client &client) {
    client_ = &client;
    return *this;
  }
  PubSubClient &setServer(const char *host, uint16_t port) {
    host_ = host;
    port_ = port;
    return *this;
  }
  PubSubClient &setCallback(void (*callback)(char *, uint8_t *, unsigned int)) {
    callback_ = callback;
    return *this;
  }
  PubSubClient &setKeepAlive(uint16_t seconds) {
    keep_alive_ = seconds;
    return *this;
  }
  PubSubClient &setSocketTimeout(uint16_t seconds) {
    timeout_ = seconds;
    return *this;
  }

  bool connect(const char *id, const char *user, const char *password, const char *will_topic, uint8_t will_qos,
               bool will_retain, const char *will) {
    close();
    client_->stopped = false;
    mosquitto_lib_init();
    session_ = mosquitto_new(id, true, this);
    mosquitto_connect_callback_set(session_, [](mosquitto *, void *self, int code) {
      static_cast<PubSubClient *>(self)->state_ = code;
    });
    mosquitto_message_callback_set(session_, [](mosquitto *, void *self, const mosquitto_message *message) {
      static_cast<PubSubClient *>(self)->take(*message);
    });
    mosquitto_username_pw_set(session_, user, password);
    mosquitto_will_set(session_, will_topic, static_cast<int>(std::string(will).size()), will, will_qos, will_retain);
    if (client_->authority != nullptr && !use_tls()) return false;
    state_ = -4;
    if (mosquitto_connect(session_, host_.c_str(), port_, keep_alive_) != MOSQ_ERR_SUCCESS) {
      state_ = -2;
      close();
      return false;
    }
    const uint32_t start = millis();
    while (state_ == -4 && millis() - start < timeout_ * 1000u) {
      if (mosquitto_loop(session_, 20, 1) != MOSQ_ERR_SUCCESS) break;
    }
    if (state_ != 0) close();
    return state_ == 0;
  }
  void disconnect() { close(); }
  bool connected() {
    if (client_->stopped) close();
    return session_ != nullptr && state_ == 0;
  }
  int state() const { return state_; }
  bool subscribe(const char *topic, uint8_t qos) {
    return connected() && mosquitto_subscribe(session_, nullptr, topic, qos) == MOSQ_ERR_SUCCESS;
  }
  bool publish(const char *topic, const char *text, bool retained) {
    return beginPublish(topic, static_cast<unsigned>(std::string(text).size()), retained) &&
           write(reinterpret_cast<const uint8_t *>(text), std::string(text).size()) && endPublish();
  }
  bool beginPublish(const char *topic, unsigned int length, bool retained) {
    topic_ = topic;
    payload_.clear();
    expected_ = length;
    retained_ = retained;
    return connected() && topic_.size() + 7 <= kBufferBytes;
  }
  size_t write(const uint8_t *data, size_t length) {
    payload_.append(reinterpret_cast<const char *>(data), length);
    return length;
  }
  int endPublish() {
    // A message with another length than announced would end the connection.
    if (payload_.size() != expected_) abort();
    return mosquitto_publish(session_, nullptr, topic_.c_str(), static_cast<int>(payload_.size()), payload_.data(), 0,
                             retained_) == MOSQ_ERR_SUCCESS;
  }
  bool loop() {
    if (!connected()) return false;
    if (mosquitto_loop(session_, 0, 1) != MOSQ_ERR_SUCCESS) {
      state_ = -3;
      close();
    }
    return session_ != nullptr;
  }

 private:
  bool use_tls() {
    const std::string path = std::string(getenv("FACEGATE_TEST_FOLDER")) + "/authority.pem";
    std::ofstream(path) << client_->authority;
    return mosquitto_tls_set(session_, path.c_str(), nullptr, nullptr, nullptr, nullptr) == MOSQ_ERR_SUCCESS;
  }
  void take(const mosquitto_message &message) {
    std::string topic = message.topic, text(static_cast<const char *>(message.payload), message.payloadlen);
    if (topic.size() + text.size() + 9 > kBufferBytes) return;
    callback_(&topic[0], reinterpret_cast<uint8_t *>(&text[0]), static_cast<unsigned>(text.size()));
  }
  void close() {
    if (session_ == nullptr) return;
    mosquitto_disconnect(session_);
    mosquitto_destroy(session_);
    session_ = nullptr;
  }

  Client *client_ = nullptr;
  std::string host_, topic_, payload_;
  uint16_t port_ = 0, keep_alive_ = 15, timeout_ = 15;
  void (*callback_)(char *, uint8_t *, unsigned int) = nullptr;
  mosquitto *session_ = nullptr;
  int state_ = -1;
  size_t expected_ = 0;
  bool retained_ = false;
};
