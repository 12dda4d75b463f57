#include "sqlite_store.h"

#include <sqlite3.h>

#include <cstdint>
#include <utility>

#include "libsync/fingerprint.h"

namespace libsync::server {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kApplicationId = 0x4C535354;  // "LSST"
constexpr int kCheckpointPages = 1000;      // of 4 KiB: the log grows to about 4 MiB

Error unavailable(std::string why) { return {ErrorCode::kStoreUnavailable, "store: " + std::move(why)}; }

std::int64_t checksum_of(const std::string& key, BytesView value) {
  Bytes joined;
  joined.reserve(key.size() + 1 + value.size());
  for (const char c : key) joined.push_back(static_cast<std::byte>(c));
  joined.push_back(std::byte{0});
  joined.insert(joined.end(), value.begin(), value.end());
  return static_cast<std::int64_t>(xxh3_64(joined));
}

// Both give SQLite's result code. What is bound must stay until the statement has run.
int bind_text(sqlite3_stmt* statement, int index, const std::string& text) {
  return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

int bind_bytes(sqlite3_stmt* statement, int index, BytesView bytes) {
  // A blob at a null address would be NULL, not empty.
  if (bytes.empty()) return sqlite3_bind_zeroblob(statement, index, 0);
  return sqlite3_bind_blob64(statement, index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

// The first key behind all those that begin with `prefix`, by bytes. Nothing: there is no end.
std::optional<std::string> end_of(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF') prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// The first column of the first row, as text. Nothing on any error.
std::optional<std::string> ask(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) != SQLITE_OK) return std::nullopt;
  std::optional<std::string> answer;
  if (sqlite3_step(statement) == SQLITE_ROW) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    answer = text != nullptr ? text : "";
  }
  return sqlite3_finalize(statement) == SQLITE_OK ? answer : std::nullopt;
}

bool execute(sqlite3* db, const std::string& sql) {
  return sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
}

// Brings a new file to the schema, or checks that an old one has it.
std::optional<Error> check_schema(sqlite3* db) {
  const auto version = ask(db, "PRAGMA user_version");
  const auto application = ask(db, "PRAGMA application_id");
  const auto tables = ask(db, "SELECT count(*) FROM sqlite_schema");
  if (!version || !application || !tables) return unavailable(sqlite3_errmsg(db));
  if (*version == "0" && *application == "0" && *tables == "0") {
    const bool made = execute(db,
                              "BEGIN IMMEDIATE;"
                              "CREATE TABLE record(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL,"
                              " checksum INTEGER NOT NULL) STRICT;"
                              "PRAGMA application_id=" +
                                  std::to_string(kApplicationId) +
                                  ";"
                                  "PRAGMA user_version=" +
                                  std::to_string(kSchemaVersion) +
                                  ";"
                                  "COMMIT");
    if (!made) return unavailable(std::string("cannot make the table: ") + sqlite3_errmsg(db));
    return std::nullopt;
  }
  if (*application != std::to_string(kApplicationId)) return unavailable("the file is not a store of libsync");
  if (*version != std::to_string(kSchemaVersion)) {
    return unavailable("the file has schema version " + *version + ", this program knows " +
                       std::to_string(kSchemaVersion));
  }
  // Once at the start: a damaged index could hide records, which no checksum of a record shows.
  const auto sound = ask(db, "PRAGMA quick_check(1)");
  if (!sound || *sound != "ok") return unavailable("the file is damaged: " + sound.value_or(sqlite3_errmsg(db)));
  return std::nullopt;
}

}  // namespace

void SqliteStore::Closer::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
void SqliteStore::Closer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, const SqliteStoreOptions& options) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(raw);
  if (opened != SQLITE_OK) return unavailable("cannot open " + path + ": " + sqlite3_errstr(opened));

  sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, options.max_record_bytes);
  // EXCLUSIVE before the first access: the lock is then taken once and kept, and the index of the log needs no file.
  const bool set = ask(raw, "PRAGMA locking_mode=EXCLUSIVE").has_value();
  const auto mode = set ? ask(raw, "PRAGMA journal_mode=WAL") : std::nullopt;
  const bool locked = mode && execute(raw, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE; COMMIT");
  if (!locked) {
    if ((sqlite3_errcode(raw) & 0xFF) == SQLITE_BUSY) return unavailable(path + " is in use by another process");
    return unavailable("cannot open " + path + ": " + sqlite3_errmsg(raw));
  }
  if (*mode != "wal") return unavailable(path + ": its file system has no write-ahead log");
  if (std::optional<Error> error = check_schema(raw)) return *std::move(error);

  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(database), options));
  if (std::optional<Error> error = store->prepare()) return *std::move(error);
  store->thread_ = std::thread([s = store.get()] { s->run(); });
  return store;
}

SqliteStore::SqliteStore(Database database, const SqliteStoreOptions& options)
    : options_(options), database_(std::move(database)) {}

SqliteStore::~SqliteStore() {
  if (!thread_.joinable()) return;  // open() failed half way
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<std::vector<SaveRecord>> SqliteStore::load(const std::string& prefix) {
  SYNC_ASSERT(std::this_thread::get_id() != thread_.get_id());
  Load load{prefix, {}};
  auto answer = load.answer.get_future();
  {
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(load));
  }
  wake_.notify_one();
  return answer.get();
}

void SqliteStore::commit(std::vector<SaveRecord> records, std::vector<std::string> removed, Done done) {
  Commit commit{std::move(records), std::move(removed), std::move(done), 0, std::nullopt};
  for (const SaveRecord& record : commit.records) commit.size_bytes += record.key.size() + record.value.size();
  for (const std::string& key : commit.removed) commit.size_bytes += key.size();
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || queued_commits_ >= options_.max_queued_commits ||
        commit.size_bytes > options_.max_queued_bytes - queued_bytes_) {
      // The answer keeps its turn, and the thread its callbacks; only the callback is held, not the bytes.
      commit = Commit{{}, {}, std::move(commit.done), 0, unavailable("its queue is full")};
    } else {
      ++queued_commits_;
      queued_bytes_ += commit.size_bytes;
    }
    queue_.emplace_back(std::move(commit));
  }
  wake_.notify_one();
}

std::optional<Error> SqliteStore::prepare() {
  const auto make = [this](Statement& statement, const char* sql) {
    sqlite3_stmt* raw = nullptr;
    const int result = sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    statement.reset(raw);
    return result == SQLITE_OK;
  };
  const bool made = make(begin_, "BEGIN IMMEDIATE") && make(commit_, "COMMIT") && make(rollback_, "ROLLBACK") &&
                    make(put_,
                         "INSERT INTO record(key, value, checksum) VALUES(?1, ?2, ?3)"
                         " ON CONFLICT(key) DO UPDATE SET value = ?2, checksum = ?3") &&
                    make(remove_, "DELETE FROM record WHERE key = ?1") &&
                    make(select_,
                         "SELECT key, value, checksum FROM record"
                         " WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) ORDER BY key");
  if (!made) return unavailable(std::string("cannot prepare: ") + sqlite3_errmsg(database_.get()));
  // Instead of SQLite's own checkpoints, whose errors nobody would see: see checkpoint().
  sqlite3_wal_hook(
      database_.get(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteStore*>(self)->log_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  return std::nullopt;
}

void SqliteStore::run() {
  for (;;) {
    std::vector<Commit> group;
    std::optional<Load> load;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      // All commits up to the next load; a load sees what was asked for before it and nothing later.
      while (!queue_.empty() && !load) {
        if (auto* commit = std::get_if<Commit>(&queue_.front())) {
          if (!commit->refused) --queued_commits_;
          queued_bytes_ -= commit->size_bytes;
          group.push_back(std::move(*commit));
        } else {
          load = std::get<Load>(std::move(queue_.front()));
        }
        queue_.pop_front();
      }
    }
    if (!group.empty()) write_group(group);
    if (load) load->answer.set_value(read(load->prefix));
  }
}

void SqliteStore::write_group(std::vector<Commit>& group) {
  // Refused ones are empty, so they may go along.
  const std::optional<Error> together = write(group);
  for (std::size_t i = 0; i < group.size(); ++i) {
    std::optional<Error> error = group[i].refused;
    // Nothing of the group is on disk. If it failed because of one of them, the others still can be.
    if (!error && together) error = group.size() > 1 ? write({&group[i], 1}) : together;
    group[i].done(error ? Result<bool>(*std::move(error)) : Result<bool>(true));
  }
  if (log_pages_ >= kCheckpointPages) checkpoint();
}

std::optional<Error> SqliteStore::write(std::span<const Commit> commits) {
  if (stopped_) return stopped_;
  bool ok = step(begin_);
  for (const Commit& commit : commits) ok = ok && write_one(commit);
  ok = ok && step(commit_);
  if (ok) return std::nullopt;

  Error error = note_failure("a commit failed");
  const bool open = sqlite3_get_autocommit(database_.get()) == 0;
  if (open && !step(rollback_) && !stopped_) stop(unavailable("a rollback failed"));
  return error;
}

bool SqliteStore::write_one(const Commit& commit) {
  for (const SaveRecord& record : commit.records) {
    const std::int64_t checksum = checksum_of(record.key, record.value);
    const bool bound = check(bind_text(put_.get(), 1, record.key)) && check(bind_bytes(put_.get(), 2, record.value)) &&
                       check(sqlite3_bind_int64(put_.get(), 3, checksum));
    if (!bound || !step(put_)) return false;
  }
  for (const std::string& key : commit.removed) {
    if (!check(bind_text(remove_.get(), 1, key)) || !step(remove_)) return false;
  }
  return true;
}

Result<std::vector<SaveRecord>> SqliteStore::read(const std::string& prefix) {
  if (stopped_) return *stopped_;
  sqlite3_stmt* select = select_.get();
  const std::optional<std::string> end = end_of(prefix);
  bool ok = check(bind_text(select, 1, prefix));
  ok = ok && check(end ? bind_text(select, 2, *end) : sqlite3_bind_null(select, 2));
  std::vector<SaveRecord> records;
  std::optional<Error> wrong;
  while (ok && !wrong) {
    const int result = sqlite3_step(select);
    if (result == SQLITE_DONE) break;
    ok = check(result);
    if (!ok) break;
    const auto* key = reinterpret_cast<const char*>(sqlite3_column_text(select, 0));
    const auto key_size = static_cast<std::size_t>(sqlite3_column_bytes(select, 0));
    const auto* value = static_cast<const std::byte*>(sqlite3_column_blob(select, 1));
    const auto value_size = static_cast<std::size_t>(sqlite3_column_bytes(select, 1));
    SaveRecord record{std::string(key, key_size), Bytes(value, value + value_size)};
    if (sqlite3_column_int64(select, 2) != checksum_of(record.key, record.value)) {
      wrong = unavailable("the record \"" + record.key + "\" is damaged: its checksum is wrong");
    }
    records.push_back(std::move(record));
  }
  sqlite3_reset(select);
  if (wrong) return *std::move(wrong);
  if (!ok) return note_failure("reading failed");
  return records;
}

void SqliteStore::checkpoint() {
  log_pages_ = 0;
  if (stopped_) return;
  if (!check(sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr))) {
    note_failure("a checkpoint failed");
  }
}

bool SqliteStore::step(const Statement& statement) {
  const bool done = check(sqlite3_step(statement.get()));
  sqlite3_reset(statement.get());
  return done;
}

bool SqliteStore::check(int result) {
  if (result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE) return true;
  failed_ = result;
  return false;
}

Error SqliteStore::note_failure(const char* what) {
  Error error = unavailable(std::string(what) + ": " + sqlite3_errstr(failed_) + " (" + std::to_string(failed_) + ")");
  switch (failed_ & 0xFF) {
    case SQLITE_FULL:    // no room: there may be some later
    case SQLITE_TOOBIG:  // this record's own fault
    case SQLITE_NOMEM: break;
    default: stop(error);
  }
  return error;
}

void SqliteStore::stop(const Error& why) {
  stopped_ = unavailable("stopped, because " + why.detail);
  // The log stays as it is: at the next start its frames' checksums tell which of them are whole.
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace libsync::server
