// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names that a program chose may carry a secret: a route "/login?token=abc", a tag "user:password=x", a thread "worker
// --api-key XYZ", a service "db postgres://app:pw@host". What looks like one is taken out before it leaves the process.
//
//   key SEPARATOR value   the key's last word is secret or ends so (password, csrftoken, api_key): it becomes "[redacted]"
//   Bearer VALUE          the value, where it looks like a credential rather than a word
//   scheme://user:VALUE@  the password of a URL, and a user of 20 or more characters
//
// Words, not substrings: `api_key=`, `X-Api-Key:`, `dbPassword=`, `--token T` are secret; `cache_key=`, `token_count=`, a tag
// called "tokens" or "token bucket" are not. The key stays, because it says what is there. Placeholders (`token={id}`) stay,
// where they are words for one; a value in doubt goes.
//
// Where: every snapshot passes redact_names() at its freeze, so metrics, dumps, tables and the control socket can't disagree.
// Further keys are a matter of options (`redact`). Names of functions, files and types never: they name the culprit. Two names
// that differ in the secret only become equal; whoever groups by name adds them up. redact(redact(x)) == redact(x). Threads:
// any. tests/unit/model/redaction_test.cpp.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/model/snapshot.hpp>
#include "base/siphash.hpp"

namespace memwatch {
inline namespace v1 {

// What a process wants taken out beside the above (options `redact` and `hash_traces`).
struct redaction_rules {
    std::vector<std::string> words;  // further secret keys, lower case without separators: "iban", "sessionid"
    // Trace ids become a keyed hash of themselves: equal ids stay equal within the process, and nobody who has the dump and the
    // logs can join them. All zero: ids stay as they are.
    siphash_key trace_key;
};

// The words of option `redact`: "iban, session-id" -> "iban", "sessionid".
[[nodiscard]] MEMWATCH_API std::vector<std::string> redaction_words(std::string_view list);

void redact(std::string& text, const std::vector<std::string>& words = {});
[[nodiscard]] MEMWATCH_API std::string redacted(std::string text, const std::vector<std::string>& words = {});

// Tags, routes, pools, threads, hand-offs, service and label; then trace ids, where rules say so.
void redact_names(snapshot& s, const redaction_rules& rules = {});

}  // namespace v1
}  // namespace memwatch
