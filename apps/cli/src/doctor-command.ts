/** `strongroom doctor`. What needs the database and Kafka is loaded when it is asked for: the other commands start fast. */
import { type Command, InvalidArgumentError } from 'commander';
import { ofApi } from './api/api-options.js';
import type { DoctorOptions } from './doctor/doctor.js';
import { type Part, parts } from './doctor/finding.js';

export function addDoctor(program: Command): void {
  ofApi(program.command('doctor'))
    .description(
      'Look at everything that the next backups need, with what to do where something lacks: the database and Kafka by the settings of the services, the vaults by trying what they keep, and the server of each instance by the service. It changes nothing. Ends with 1 when something failed, and with 3 when something could not be looked at.',
    )
    .option('--only <parts>', `only these, with commas between them: ${parts.join(', ')}`, partsArgument, [...parts])
    .action(async (options: DoctorOptions) => (await import('./doctor/doctor.js')).examine(options));
}

function partsArgument(text: string): Part[] {
  return text.split(',').map((name) => {
    const part = parts.find((each) => each === name.trim());
    if (part === undefined) throw new InvalidArgumentError(`It must be some of ${parts.join(', ')}.`);
    return part;
  });
}
