#include "saved_topic.h"

namespace libsync::server {
namespace {

constexpr std::size_t kHeaderBytes = 16;

void append_u64(Bytes& out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
}

std::uint64_t read_u64(BytesView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

}  // namespace

Bytes encode_saved_topic(Epoch epoch, Version version, BytesView snapshot) {
  Bytes record;
  record.reserve(kHeaderBytes + snapshot.size());
  append_u64(record, epoch.value);
  append_u64(record, version.value);
  record.insert(record.end(), snapshot.begin(), snapshot.end());
  return record;
}

Result<SavedTopic> decode_saved_topic(BytesView record) {
  if (record.size() <= kHeaderBytes) return Error{ErrorCode::kMalformed, "saved topic is too short"};
  SavedTopic topic;
  topic.epoch.value = read_u64(record);
  topic.version.value = read_u64(record.subspan(8));
  if (topic.version.value == 0) return Error{ErrorCode::kMalformed, "saved topic has no version"};
  const BytesView snapshot = record.subspan(kHeaderBytes);
  topic.snapshot.assign(snapshot.begin(), snapshot.end());
  return topic;
}

}  // namespace libsync::server
