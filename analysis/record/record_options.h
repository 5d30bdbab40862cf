#pragma once
/// The large parts of a record, kept on request only.

namespace moescope {

struct RecordOptions {
  bool router_logits = false;
  bool hidden_states = false;
  bool logits = false;
};

struct SavedPart {
  const char* name;  // as users ask for it
  bool RecordOptions::*wanted;
};

inline constexpr SavedPart saved_parts[] = {
    {"router_logits", &RecordOptions::router_logits},
    {"hidden_states", &RecordOptions::hidden_states},
    {"logits", &RecordOptions::logits},
};

}  // namespace moescope
