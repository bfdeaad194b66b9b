// SPDX-License-Identifier: Apache-2.0
// Opens a file with speedscope's own importer and prints what came out: node speedscope_import.js PACKAGE FILE
//
// The package ships one bundle for browsers, which ends by putting the page together. It is run in a context with the little of a
// browser that its modules touch when they load, and left before it draws; what loads a dropped file is found by its place in the
// page's own source (the version is pinned, so that place is, too).
"use strict";
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const [packageFolder, file] = process.argv.slice(2);
const release = path.join(packageFolder, "dist", "release");
const bundle = fs.readdirSync(release).find((name) => /^speedscope-.*\.js$/.test(name));
let source = fs.readFileSync(path.join(release, bundle), "utf8");

const importer = /loadFileFromBase64:\((\w+),(\w+)\)=>\{this\.loadProfile\(\(\)=>(\w+)\(\1,\2\)\)\}/.exec(source);
const start = source.lastIndexOf("console.log(`speedscope v");
if (!importer || start < 0) { throw new Error("this is not the bundle that the pinned version has"); }
source = source.slice(0, start) + `globalThis.importFromBase64=${importer[3]};})();`;

const nothing = () => {};
const element = () => new Proxy(function () {}, {
  get: (target, key) => (key === Symbol.toPrimitive ? () => "" : key in target ? target[key] : element()),
  apply: () => element(),
  set: () => true,
});
const sandbox = {
  console: { ...console, log: nothing, warn: nothing }, TextDecoder, TextEncoder, URL, URLSearchParams, atob, btoa, setTimeout, clearTimeout,
  performance, WebAssembly, Blob, document: element(), navigator: { userAgent: "node", platform: "linux" },
  localStorage: { getItem: () => null, setItem: nothing }, matchMedia: () => ({ matches: false, addListener: nothing, addEventListener: nothing }),
  addEventListener: nothing, removeEventListener: nothing, requestAnimationFrame: nothing, devicePixelRatio: 1,
  location: { hash: "", href: "file:///", protocol: "file:" }, history: { replaceState: nothing },
};
sandbox.window = sandbox.self = sandbox.globalThis = sandbox;
vm.createContext(sandbox);
vm.runInContext(source, sandbox, { filename: bundle });

const summary = (profile) => {
  const frames = {};
  profile.forEachFrame((frame) => {
    frames[frame.name] = { total: (frames[frame.name] || { total: 0 }).total + frame.getTotalWeight(),
                           self: (frames[frame.name] || { self: 0 }).self + frame.getSelfWeight(), file: frame.file, line: frame.line };
  });
  const stacks = [];
  const open = [];
  profile.forEachCallGrouped((node) => open.push(node.frame.name), (node) => {
    if (node.children.length === 0) { stacks.push(open.join(";")); }
    open.pop();
  });
  return { name: profile.getName(), unit: profile.getWeightUnit(), total: profile.getTotalWeight(), frames, stacks };
};

sandbox.importFromBase64(path.basename(file), fs.readFileSync(file).toString("base64")).then((group) => {
  if (!group) { throw new Error("speedscope does not know the format"); }
  process.stdout.write(JSON.stringify({ name: group.name, active: group.indexToView, profiles: group.profiles.map(summary) }) + "\n");
}).catch((failure) => {
  process.stderr.write(`${failure.stack || failure}\n`);
  process.exit(1);
});
