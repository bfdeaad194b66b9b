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
// Names of functions, files and types never: they name the culprit. Two names that differ in the secret only become equal;
// whoever groups by name adds them up. redact(redact(x)) == redact(x). Threads: any. tests/unit/model/redaction_test.cpp.

#include <string>

#include <memwatch/base/export.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

void redact(std::string& text);
[[nodiscard]] MEMWATCH_API std::string redacted(std::string text);  // exported for libmemwatch-serve's options page

// Tags, routes, pools, threads, hand-offs, service and label.
void redact_names(snapshot& s);

}  // namespace v1
}  // namespace memwatch
