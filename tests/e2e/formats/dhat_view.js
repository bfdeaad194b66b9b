// SPDX-License-Identifier: Apache-2.0
// Opens a file with valgrind's own viewer and prints what it shows: node dhat_view.js DH_VIEW_JS FILE
//
// dh_view.js is a script of a page. It runs in a context whose document collects text instead of drawing it.
"use strict";
const fs = require("fs");
const vm = require("vm");

const [viewer, file] = process.argv.slice(2);

class Node {
  constructor(tag) {
    const classList = { contains: () => false, add() {}, remove() {}, toggle() {} };
    Object.assign(this, { tag, text: "", childNodes: [], style: {}, classList });
  }
  appendChild(child) {
    child.parentNode = this;
    this.childNodes.push(child);
    return child;
  }
  cloneNode() { return new Node(this.tag); }
  replaceChild(to, from) {
    to.parentNode = this;
    this.childNodes = this.childNodes.map((each) => (each === from ? to : each));
  }
  set textContent(text) { Object.assign(this, { text, childNodes: [] }); }
  get textContent() { return this.text + this.childNodes.map((child) => child.textContent).join(""); }
  get selectedIndex() { return Math.max(0, this.childNodes.findIndex((child) => child.selected)); }
}
const body = new Node("body");
const text = (words) => Object.assign(new Node("#text"), { text: words });
const sandbox = {
  console, performance, URLSearchParams, Intl, alert() {},
  document: { body, title: "", location: { search: "" }, createElement: (tag) => new Node(tag), createTextNode: text, addEventListener() {} },
  FileReader: class { readAsText(bytes) { this.onload({ target: { result: bytes.contents } }); } },
};
sandbox.window = sandbox;
vm.createContext(sandbox);
vm.runInContext(fs.readFileSync(viewer, "utf8") + `
onLoad();
gInput = { files: [{ name: "profile", contents: ${JSON.stringify(fs.readFileSync(file, "utf8"))} }] };
loadFile();
globalThis.shown = gMainDiv.textContent;
globalThis.root = gRoot && { bytes: gRoot._totalBytes, blocks: gRoot._totalBlocks, endBytes: gRoot._atTEndBytes, endBlocks: gRoot._atTEndBlocks };
`, sandbox, { filename: "dh_view.js" });
process.stdout.write(JSON.stringify({ root: sandbox.root, shown: sandbox.shown }) + "\n");
