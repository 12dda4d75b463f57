#include "saver.h"

#include <future>
#include <utility>

#include "libsync/fingerprint.h"

namespace libsync::server {

Result<Saver::Loaded> Saver::load() {
  Loaded loaded;
  std::vector<std::string> removed;
  Result<std::vector<SaveRecord>> game = store_.load(std::string(kGamePrefix));
  if (!game) return game.error();
  for (SaveRecord& record : *game) {
    saved_.emplace(record.key, xxh3_64(record.value));
    record.key.erase(0, kGamePrefix.size());
  }
  loaded.game = std::move(*game);

  Result<std::vector<SaveRecord>> ledger = store_.load(std::string(kLedgerPrefix));
  if (!ledger) return ledger.error();
  std::vector<ActionLedger::Record> executed;
  for (SaveRecord& record : *ledger) {
    executed.push_back({record.key.substr(kLedgerPrefix.size()), std::move(record.value)});
  }
  const Result<bool> taken = ledger_.load(executed);
  if (!taken) return taken.error();

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
  if (removed.empty() && !ledger_.has_changes()) return loaded;

  // A new ledger's identity is on disk before any client hears of it.
  ActionLedger::Changes changes = ledger_.take_changes();
  std::vector<SaveRecord> records;
  for (ActionLedger::Record& record : changes.records) {
    records.push_back({std::string(kLedgerPrefix) + record.key, std::move(record.value)});
  }
  std::promise<bool> committed;
  store_.commit(std::move(records), std::move(removed),
                [&committed](const Result<bool>& result) { committed.set_value(result.has_value()); });
  const bool is_written = committed.get_future().get();
  (void)ledger_.committed(is_written);
  if (!is_written) return Error{ErrorCode::kStoreUnavailable, "the start cannot be written to the store"};
  return loaded;
}

void Saver::save(Done done) {
  waiting_.push_back(std::move(done));
  if (is_busy_) return;
  commit({}, [served = std::exchange(waiting_, {})](bool durable) {
    for (const Done& one : served) one(durable);
  });
}

void Saver::save_clean(std::map<std::string, Bytes> topics, Done done) {
  clean_.push_back({std::move(topics), std::move(done)});
  if (!is_busy_) commit_clean(clean_.front());
}

void Saver::commit_clean(const Clean& clean) {
  std::vector<SaveRecord> records;
  for (const auto& [name, record] : clean.topics) records.push_back({std::string(kTopicPrefix) + name, record});
  records.push_back({std::string(kCleanKey), Bytes{std::byte{1}}});
  commit(std::move(records), [this](bool durable) { std::exchange(clean_, {}).front().done(durable); });
}

void Saver::commit(std::vector<SaveRecord> records, Done done) {
  is_busy_ = true;
  std::map<std::string, std::uint64_t> saved;
  for (SaveRecord& record : make_records_()) {
    record.key.insert(0, kGamePrefix);
    const std::uint64_t hash = xxh3_64(record.value);
    saved.emplace(record.key, hash);
    const auto before = saved_.find(record.key);
    if (before == saved_.end() || before->second != hash) records.push_back(std::move(record));
  }
  std::vector<std::string> removed;
  for (const auto& [key, hash] : saved_) {
    if (!saved.contains(key)) removed.push_back(key);
  }
  ActionLedger::Changes changes = ledger_.take_changes();
  for (ActionLedger::Record& record : changes.records) {
    records.push_back({std::string(kLedgerPrefix) + record.key, std::move(record.value)});
  }
  for (const std::string& key : changes.removed) removed.push_back(std::string(kLedgerPrefix) + key);
  store_.commit(std::move(records), std::move(removed),
                [this, saved = std::move(saved), done = std::move(done)](const Result<bool>& result) {
                  post_([this, saved, done, durable = result.has_value()] {
                    if (durable) saved_ = saved;
                    is_busy_ = false;
                    committed_(ledger_.committed(durable));
                    done(durable);
                    if (is_busy_) return;
                    if (!clean_.empty()) return commit_clean(clean_.front());
                    if (waiting_.empty()) return;
                    Done next = std::move(waiting_.back());
                    waiting_.pop_back();
                    save(std::move(next));
                  });
                });
}

}  // namespace libsync::server
