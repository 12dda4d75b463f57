// main.ts: writes report.html into the folder whose measurements it reads (read.ts).

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePage } from "./page.js";
import { readReport } from "./read.js";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error("npm run report -- FOLDER");
  process.exit(2);
}
const report = readReport(folder);
if (report.sections.length === 0) throw new Error(`${folder} has no measurements`);
writeFileSync(join(folder, "report.html"), makePage(report));
