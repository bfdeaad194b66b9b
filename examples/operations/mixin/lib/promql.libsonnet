// SPDX-License-Identifier: Apache-2.0
// Selectors that two places may both have something to say about.
{
  // 'memwatch_up', ['job="a"', ''] -> 'memwatch_up{job="a"}'
  series(name, matchers=[]):: (
    local kept = [m for m in matchers if m != ''];
    name + (if std.length(kept) == 0 then '' else '{%s}' % std.join(', ', kept))
  ),
}
