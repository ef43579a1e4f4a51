import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Runs a program to its end. @throws when it ends with another status */
export function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  status = 0,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === status) resolve();
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code ?? signal}: ${stderr}`));
    });
  });
}

/** Proportional set size of a process, bytes (proc(5), smaps_rollup). */
export function pssOf(pid: number): number {
  const match = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  return Number(match?.[1]) * 1024;
}

/** CPU time that a process has used, seconds (proc(5), stat; 100 ticks a second on Linux). */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
