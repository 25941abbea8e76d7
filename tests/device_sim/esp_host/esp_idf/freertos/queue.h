// The queue of FreeRTOS, as far as the client uses it: items are copied, and a full queue takes no more.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>

#include "FreeRTOS.h"

struct HostQueue {
  size_t items, bytes;
  std::mutex mutex;
  std::condition_variable filled;
  std::deque<std::string> content;
};
typedef HostQueue *QueueHandle_t;

inline QueueHandle_t xQueueCreate(size_t items, size_t bytes) {
  auto *queue = new HostQueue;
  queue->items = items;
  queue->bytes = bytes;
  return queue;
}
inline int xQueueSend(QueueHandle_t queue, const void *item, TickType_t) {
  std::lock_guard<std::mutex> lock(queue->mutex);
  if (queue->content.size() >= queue->items) return pdFALSE;
  queue->content.emplace_back(static_cast<const char *>(item), queue->bytes);
  queue->filled.notify_one();
  return pdTRUE;
}
inline int xQueueReceive(QueueHandle_t queue, void *item, TickType_t wait) {
  std::unique_lock<std::mutex> lock(queue->mutex);
  const auto ready = [queue] { return !queue->content.empty(); };
  if (!queue->filled.wait_for(lock, std::chrono::milliseconds(wait), ready)) return pdFALSE;
  memcpy(item, queue->content.front().data(), queue->bytes);
  queue->content.pop_front();
  return pdTRUE;
}
