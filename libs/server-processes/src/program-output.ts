/** Reads what a failed program has said from the error that `execFile` throws. */
import { z } from 'zod';

const failure = z.object({ message: z.string(), stdout: z.string().catch(''), stderr: z.string().catch('') });

export function outputOf(error: unknown): z.infer<typeof failure> {
  const found = failure.safeParse(error);
  return found.success ? found.data : { message: String(error), stdout: '', stderr: '' };
}
