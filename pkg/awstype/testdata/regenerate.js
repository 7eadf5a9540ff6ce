// Writes replacement.txt: which properties replace their resource when they
// change, as the npm package @aws-cdk/aws-service-spec (Apache-2.0) has it.
//
//   npm install --prefix "$DIR" @aws-cdk/aws-service-spec@0.1.216
//   NODE_PATH="$DIR/node_modules" node pkg/awstype/testdata/regenerate.js
//
// A line is a type, a path and yes or maybe. What lies below a path that says
// yes is left out. Equal input gives equal bytes.
const fs = require("node:fs");
const path = require("node:path");
const { loadAwsServiceSpecSync } = require("@aws-cdk/aws-service-spec");

const db = loadAwsServiceSpecSync();
const names = fs.readFileSync(path.join(__dirname, "..", "types.txt"), "utf8").trim().split(/\s+/).sort();

function walk(properties, prefix, seen, put) {
  for (const name of Object.keys(properties).sort()) {
    const p = properties[name];
    let at = prefix + name;
    if (p.causesReplacement === "yes" || p.causesReplacement === "maybe") put(at, p.causesReplacement);
    if (p.causesReplacement === "yes") continue;
    let type = p.type;
    while (type && (type.type === "array" || type.type === "map")) {
      type = type.element;
      at += ".*";
    }
    if (!type || type.type !== "ref" || seen.includes(type.reference.$ref)) continue;
    const definition = db.get("typeDefinition", type.reference.$ref);
    walk(definition.properties, at + ".", [...seen, type.reference.$ref], put);
  }
}

const lines = [];
for (const name of names) {
  const found = [...db.lookup("resource", "cloudFormationType", "equals", name)];
  if (found.length === 0) {
    lines.push(name + " - unknown");
    continue;
  }
  lines.push(name);
  walk(found[0].properties, "", [], (at, answer) => lines.push(`${name} ${at} ${answer}`));
}
fs.writeFileSync(path.join(__dirname, "replacement.txt"), lines.join("\n") + "\n");
