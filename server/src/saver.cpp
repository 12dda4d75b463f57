#include "saver.h"

#include <future>
#include <utility>

namespace libsync::server {

Result<Saver::Loaded> Saver::load() {
  Loaded loaded;
  std::vector<std::string> removed;
  Result<std::vector<SaveRecord>> game = store_.load(std::string(kGamePrefix));
  if (!game) return game.error();
  for (SaveRecord& record : *game) {
    keys_.insert(record.key);
    record.key.erase(0, kGamePrefix.size());
  }
  loaded.game = std::move(*game);

  Result<std::vector<SaveRecord>> mark = store_.load(std::string(kCleanKey));
  if (!mark) return mark.error();
  Result<std::vector<SaveRecord>> topics = store_.load(std::string(kTopicPrefix));
  if (!topics) return topics.error();
  for (const SaveRecord& record : *topics) {
    removed.push_back(record.key);
    if (mark->empty()) continue;
    // One that cannot be read costs its epoch, nothing else.
    Result<SavedTopic> topic = decode_saved_topic(record.value);
    if (topic) loaded.topics.emplace(record.key.substr(kTopicPrefix.size()), std::move(*topic));
  }
  if (!mark->empty()) removed.emplace_back(kCleanKey);
  if (removed.empty()) return loaded;

  std::promise<bool> committed;
  store_.commit({}, std::move(removed),
                [&committed](const Result<bool>& result) { committed.set_value(result.has_value()); });
  if (!committed.get_future().get()) {
    return Error{ErrorCode::kStoreUnavailable, "the mark of the last stop cannot be removed"};
  }
  return loaded;
}

void Saver::save(Done done) {
  waiting_.push_back(std::move(done));
  if (under_way_) return;
  under_way_ = true;
  commit({}, [this, served = std::exchange(waiting_, {})](bool durable) {
    under_way_ = false;
    for (const Done& one : served) one(durable);
    if (!waiting_.empty() && !under_way_) {
      Done next = std::move(waiting_.back());
      waiting_.pop_back();
      save(std::move(next));
    }
  });
}

void Saver::save_clean(const std::map<std::string, Bytes>& topics, Done done) {
  std::vector<SaveRecord> records;
  for (const auto& [name, record] : topics) records.push_back({std::string(kTopicPrefix) + name, record});
  records.push_back({std::string(kCleanKey), Bytes{std::byte{1}}});
  commit(std::move(records), std::move(done));
}

void Saver::commit(std::vector<SaveRecord> records, std::function<void(bool)> done) {
  std::set<std::string> keys;
  for (SaveRecord& record : make_records_()) {
    record.key.insert(0, kGamePrefix);
    keys.insert(record.key);
    records.push_back(std::move(record));
  }
  std::vector<std::string> removed;
  for (const std::string& key : keys_) {
    if (!keys.contains(key)) removed.push_back(key);
  }
  store_.commit(std::move(records), std::move(removed),
                [this, keys = std::move(keys), done = std::move(done)](const Result<bool>& result) {
                  post_([this, keys, done, durable = result.has_value()] {
                    if (durable) keys_ = keys;
                    done(durable);
                  });
                });
}

}  // namespace libsync::server
