/** What work costs: seconds, and the CPU of this process and of a PostgreSQL on this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One tick of the kernel's clock, which is 10 ms on Linux. */
const microsATick = 10_000;

export async function timed(work) {
  const begun = performance.now();
  const result = await work();
  return { seconds: (performance.now() - begun) / 1_000, result };
}

export class Costs {
  /** @param directory the data of a server that runs */
  constructor(directory) {
    this.postmaster = readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n')[0];
  }

  static none() {
    return { seconds: 0, node: 0, database: 0 };
  }

  /** Does work, and adds what it cost to a sum; CPU in microseconds. */
  async of(sum, work) {
    const database = this.databaseMicros();
    const cpu = process.cpuUsage();
    const { seconds, result } = await timed(work);
    const used = process.cpuUsage(cpu);
    sum.seconds += seconds;
    sum.node += used.user + used.system;
    sum.database += this.databaseMicros() - database;
    return result;
  }

  /** What the server's present processes have used; NaN where the system does not tell. */
  databaseMicros() {
    const fileOf = (pid, file) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
    try {
      const children = fileOf(this.postmaster, `task/${this.postmaster}/children`).trim().split(' ');
      return children.reduce((sum, pid) => {
        const fields = fileOf(pid, 'stat')
          .replace(/^.*\) /s, '')
          .split(' ');
        return sum + (Number(fields[11]) + Number(fields[12])) * microsATick;
      }, 0);
    } catch {
      return Number.NaN;
    }
  }
}
