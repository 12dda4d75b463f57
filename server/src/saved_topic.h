// saved_topic.h: the shell's own records in the store, beside the game's.
//
//   game/<key>     the game's records, their keys prefixed
//   ledger/<key>   what clients had executed, see libsync/action_ledger.h
//   topic/<name>   epoch, version and snapshot of a topic at a clean stop
//   meta/clean     there if the last stop was clean: every version that was ever sent is older than or equal to the
//                  saved one, so its epoch goes on. Removed durably at start, before anything is sent.
#pragma once

#include <string>
#include <string_view>

#include "libsync/result.h"
#include "libsync/types.h"
#include "store.h"

namespace libsync::server {

inline constexpr std::string_view kGamePrefix = "game/";
inline constexpr std::string_view kLedgerPrefix = "ledger/";
inline constexpr std::string_view kTopicPrefix = "topic/";
inline constexpr std::string_view kCleanKey = "meta/clean";

struct SavedTopic {
  Epoch epoch;
  Version version;
  Bytes snapshot;
};

// Epoch and version as 8 bytes little-endian each, then the snapshot.
Bytes encode_saved_topic(Epoch epoch, Version version, BytesView snapshot);
// Errors: kMalformed.
[[nodiscard]] Result<SavedTopic> decode_saved_topic(BytesView record);

}  // namespace libsync::server
