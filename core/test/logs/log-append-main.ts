/**
 * Appends numbered lines to a log: `node log-append-main.ts DIRECTORY LINES`. Prints the number of lines that are
 * appended, after each batch.
 */
import { LogWriter } from '../../dist/logs/log-writer.js';
import { LIMITS, lineChunk } from './numbered-lines.ts';

const writer = await LogWriter.open(process.argv[2]!, LIMITS);
let line = Number(writer.resume.stdout) / lineChunk(0, 1).data.length;
while (line < Number(process.argv[3])) {
  await Promise.all([writer.append(lineChunk(line, 7)), writer.append(lineChunk(line + 7, 50))]);
  line += 57;
  process.stdout.write(`${line}\n`);
}
