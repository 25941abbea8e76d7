// The protocol of a camera that asks Facegate about pictures: topics, verdict texts, and the repetition of a request.
//
// This header uses neither a network nor a clock, only C++11. The caller gives the time in milliseconds, from a counter
// that may overflow, and random numbers.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace facegate {

// Longest topic: base, camera, "part", two numbers, operation and id.
constexpr size_t kTopicBytes = 192;
// Longest verdict text, with its final zero.
constexpr size_t kVerdictBytes = 65;

// Return whether a text begins with a word, and ends or goes on with a space after it.
inline bool first_word_is(const char *text, const char *word) {
  const size_t length = strlen(word);
  return strncmp(text, word, length) == 0 && (text[length] == '\0' || text[length] == ' ');
}

// Return the text after the first word, or "" if there is none.
inline const char *after_first_word(const char *text) {
  const char *space = strchr(text, ' ');
  return space == nullptr ? "" : space + 1;
}

// Return whether the verdict names a person. An unknown first word means no.
inline bool is_match(const char *verdict) { return first_word_is(verdict, "match"); }

// Return the score of "match 0.83 barack_obama", 0 to 1, or 0 for any other verdict.
inline float score(const char *verdict) {
  return is_match(verdict) ? strtof(after_first_word(verdict), nullptr) : 0.0f;
}

// Return the id of the person of "match 0.83 barack_obama", or "" for any other verdict.
inline const char *person(const char *verdict) {
  return is_match(verdict) ? after_first_word(after_first_word(verdict)) : "";
}

// Return the reason why one more picture may give a better answer, or "" if none may. Only live frames get a reason
// after `unknown`, `ambiguous` and `no_face`.
inline const char *hint(const char *verdict) {
  static const char *const reasons[] = {"too_small", "too_dark",   "blurred",  "turned",
                                        "cut_off",   "compressed", "undecided"};
  const bool follows = first_word_is(verdict, "unknown") || first_word_is(verdict, "ambiguous") ||
                       first_word_is(verdict, "no_face");
  const char *found = follows ? after_first_word(verdict) : verdict;
  for (const char *reason : reasons) {
    if (strcmp(found, reason) == 0) return reason;
  }
  return "";
}

// A pause that doubles each time, up to a longest one, a fifth longer or shorter at random. Without the random part all
// cameras that lost one broker would come back at the same moment.
class Pause {
 public:
  constexpr Pause(uint32_t first_ms, uint32_t longest_ms) : first_(first_ms), longest_(longest_ms), next_(first_ms) {}

  void reset() { next_ = first_; }

  uint32_t take(uint32_t random) {
    const uint32_t pause = next_;
    next_ = pause > longest_ / 2 ? longest_ : 2 * pause;
    return pause * 4 / 5 + random % (pause * 2 / 5 + 1);
  }

 private:
  uint32_t first_, longest_, next_;
};

// Return whether the time `due` has come. The counter of milliseconds overflows after 49 days.
inline bool has_come(uint32_t due, uint32_t now) { return static_cast<int32_t>(now - due) >= 0; }

// One request after the other. Each is published again, with the same id and the same picture, until a verdict comes or
// the deadline has passed.
class Request {
 public:
  Request(const char *base, const char *camera, Pause pause, uint32_t deadline_ms)
      : base_(base), camera_(camera), pause_(pause), deadline_ms_(deadline_ms) {}

  // Set a random number for this start of the device, so that no id of an earlier start is used again.
  void set_boot(uint32_t boot) { boot_ = boot; }

  // Begin a new request. It is due immediately.
  void begin(uint32_t now) {
    snprintf(id_, sizeof id_, "%08lx-%lu", static_cast<unsigned long>(boot_), static_cast<unsigned long>(++number_));
    verdict_[0] = '\0';
    start_ = due_ = now;
    pause_.reset();
  }

  // Write the topic for a request with the whole picture.
  void write_topic(char (&topic)[kTopicBytes]) const {
    snprintf(topic, sizeof topic, "%s/%s/request/face_rec/%s", base_, camera_, id_);
  }

  // Write the topic for a piece of the picture. `piece` counts from 0.
  void write_piece_topic(char (&topic)[kTopicBytes], unsigned piece, unsigned pieces) const {
    snprintf(topic, sizeof topic, "%s/%s/part/%u/%u/face_rec/%s", base_, camera_, piece, pieces, id_);
  }

  // Write the topic filter for the verdicts of this camera's requests.
  void write_verdict_filter(char (&topic)[kTopicBytes]) const {
    snprintf(topic, sizeof topic, "%s/%s/verdict/+", base_, camera_);
  }

  // Write the topic that says whether this camera is online.
  void write_status_topic(char (&topic)[kTopicBytes]) const {
    snprintf(topic, sizeof topic, "%s/%s/status", base_, camera_);
  }

  // Return whether the picture has to be published now.
  bool is_due(uint32_t now) const { return !is_finished(now) && has_come(due_, now); }

  // Record that the picture was published, or that this failed. Either way it is tried again after a pause.
  void record_sent(uint32_t now, uint32_t random) { due_ = now + pause_.take(random); }

  // Take a message on a verdict topic. A verdict of another request is ignored.
  void take_message(const char *topic, const char *payload, size_t length, uint32_t now, uint32_t random) {
    char own[kTopicBytes];
    snprintf(own, sizeof own, "%s/%s/verdict/%s", base_, camera_, id_);
    if (strcmp(topic, own) != 0 || length >= kVerdictBytes || verdict_[0] != '\0') return;
    memcpy(verdict_, payload, length);
    verdict_[length] = '\0';
    if (first_word_is(verdict_, "busy")) {
      // The repetition must not come before the time that the gateway named.
      const uint32_t wait = 1000u * static_cast<uint32_t>(strtoul(after_first_word(verdict_), nullptr, 10)) + 100u;
      repeat_at(now + wait + random % (wait / 5 + 1));
    } else if (strcmp(verdict_, "error incomplete") == 0) {
      repeat_at(now + 100u + random % 900u);
    } else if (is_temporary(verdict_)) {
      verdict_[0] = '\0';
    }
  }

  // Return whether a final verdict came, or the deadline has passed.
  bool is_finished(uint32_t now) const { return verdict_[0] != '\0' || has_come(start_ + deadline_ms_, now); }

  // Return the final verdict, or "" if none came.
  const char *verdict() const { return verdict_; }

 private:
  static bool is_temporary(const char *verdict) {
    return strcmp(verdict, "error timeout") == 0 || strcmp(verdict, "error internal") == 0 ||
           strcmp(verdict, "error expired") == 0;
  }

  void repeat_at(uint32_t due) {
    verdict_[0] = '\0';
    due_ = due;
  }

  const char *base_, *camera_;
  uint32_t boot_ = 0, number_ = 0, start_ = 0, due_ = 0;
  Pause pause_;
  uint32_t deadline_ms_;
  char id_[20] = "";
  char verdict_[kVerdictBytes] = "";
};

}  // namespace facegate
