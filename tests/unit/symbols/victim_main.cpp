// SPDX-License-Identifier: Apache-2.0
extern "C" int run_victim(int n);

int main(int count, char**) { return run_victim(count) == 0 ? 1 : 0; }
