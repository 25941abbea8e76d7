// esp-mqtt, as far as the client uses it, with the network of libmosquitto.
//
// As in the original: events come in a task of the library, texts of an event have no final zero, a publication of QoS 1
// stays in the outbox until the broker acknowledges it, and the library reconnects by itself.
#pragma once

#include <mosquitto.h>
#include <stdlib.h>
#include <string.h>

#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "esp_event.h"

typedef enum { MQTT_EVENT_ANY = -1, MQTT_EVENT_CONNECTED = 1, MQTT_EVENT_DISCONNECTED, MQTT_EVENT_DATA } esp_mqtt_event_id_t;

struct esp_mqtt_event_t {
  char *topic, *data;
  int topic_len, data_len, total_data_len;
};
typedef esp_mqtt_event_t *esp_mqtt_event_handle_t;

struct esp_mqtt_client_config_t {
  struct {
    struct {
      const char *uri;
    } address;
    struct {
      const char *certificate;
    } verification;
  } broker;
  struct {
    const char *client_id, *username;
    struct {
      const char *password;
    } authentication;
  } credentials;
  struct {
    int keepalive;
    struct {
      const char *topic, *msg;
      int qos, retain;
    } last_will;
  } session;
  struct {
    int reconnect_timeout_ms;
  } network;
};

typedef void (*esp_event_handler_t)(void *, esp_event_base_t, int32_t, void *);

struct HostMqtt {
  mosquitto *session;
  std::string host;
  int port, keepalive;
  esp_event_handler_t handler;
  std::mutex mutex;
  std::map<int, int> outbox;
  int largest_outbox = 0;

  int outbox_bytes() {
    int sum = 0;
    for (const auto &item : outbox) sum += item.second;
    return sum;
  }
  void send(int32_t id, esp_mqtt_event_t event) { handler(nullptr, "", id, &event); }
};
typedef HostMqtt *esp_mqtt_client_handle_t;

inline esp_mqtt_client_handle_t esp_mqtt_client_init(const esp_mqtt_client_config_t *config) {
  mosquitto_lib_init();
  auto *client = new HostMqtt;
  const std::string uri = config->broker.address.uri;
  const size_t start = uri.find("//") + 2, colon = uri.find(':', start);
  client->host = uri.substr(start, colon - start);
  client->port = atoi(uri.c_str() + colon + 1);
  client->keepalive = config->session.keepalive;
  client->session = mosquitto_new(config->credentials.client_id, true, client);
  mosquitto_username_pw_set(client->session, config->credentials.username, config->credentials.authentication.password);
  const auto &will = config->session.last_will;
  mosquitto_will_set(client->session, will.topic, static_cast<int>(strlen(will.msg)), will.msg, will.qos, will.retain != 0);
  if (uri.rfind("mqtts:", 0) == 0) {
    const std::string path = std::string(getenv("FACEGATE_TEST_FOLDER")) + "/authority.pem";
    std::ofstream(path) << config->broker.verification.certificate;
    mosquitto_tls_set(client->session, path.c_str(), nullptr, nullptr, nullptr, nullptr);
  }
  // In tests the broker is back soon.
  mosquitto_reconnect_delay_set(client->session, 1, 1, false);
  mosquitto_connect_callback_set(client->session, [](mosquitto *, void *self, int code) {
    if (code == 0) static_cast<HostMqtt *>(self)->send(MQTT_EVENT_CONNECTED, {});
  });
  mosquitto_disconnect_callback_set(client->session, [](mosquitto *, void *self, int) {
    auto *own = static_cast<HostMqtt *>(self);
    own->send(MQTT_EVENT_DISCONNECTED, {});
  });
  mosquitto_publish_callback_set(client->session, [](mosquitto *, void *self, int id) {
    auto *own = static_cast<HostMqtt *>(self);
    std::lock_guard<std::mutex> lock(own->mutex);
    own->outbox.erase(id);
  });
  mosquitto_message_callback_set(client->session, [](mosquitto *, void *self, const mosquitto_message *message) {
    esp_mqtt_event_t event = {};
    event.topic = message->topic;
    event.topic_len = static_cast<int>(strlen(message->topic));
    event.data = static_cast<char *>(message->payload);
    event.data_len = event.total_data_len = message->payloadlen;
    static_cast<HostMqtt *>(self)->send(MQTT_EVENT_DATA, event);
  });
  return client;
}
inline esp_err_t esp_mqtt_client_register_event(esp_mqtt_client_handle_t client, esp_mqtt_event_id_t,
                                                esp_event_handler_t handler, void *) {
  client->handler = handler;
  return ESP_OK;
}
inline esp_err_t esp_mqtt_client_start(esp_mqtt_client_handle_t client) {
  mosquitto_loop_start(client->session);
  mosquitto_connect_async(client->session, client->host.c_str(), client->port, client->keepalive);
  return ESP_OK;
}
inline int esp_mqtt_client_subscribe_single(esp_mqtt_client_handle_t client, const char *topic, int qos) {
  return mosquitto_subscribe(client->session, nullptr, topic, qos) == MOSQ_ERR_SUCCESS ? 1 : -1;
}
inline int esp_mqtt_client_publish(esp_mqtt_client_handle_t client, const char *topic, const char *data, int length,
                                   int qos, int retain) {
  if (length == 0) length = static_cast<int>(strlen(data));
  std::lock_guard<std::mutex> lock(client->mutex);
  int id = 0;
  if (mosquitto_publish(client->session, &id, topic, length, data, qos, retain != 0) != MOSQ_ERR_SUCCESS) return -1;
  client->outbox[id] = length;
  if (client->outbox_bytes() > client->largest_outbox) {
    client->largest_outbox = client->outbox_bytes();
    printf("outbox %d\n", client->largest_outbox);
  }
  return id;
}
inline int esp_mqtt_client_get_outbox_size(esp_mqtt_client_handle_t client) {
  std::lock_guard<std::mutex> lock(client->mutex);
  return client->outbox_bytes();
}
