/** Says in a short line why what a vault holds can't be parsed: whoever wrote it decides how much is wrong with it. */
import { messageOf } from '@strongroom/contracts';
import { z } from 'zod';

const mostIssues = 3;
const mostChars = 300;

export function whyUnparsed(error: unknown): string {
  if (!(error instanceof z.ZodError)) return clipped(messageOf(error));
  const { issues } = error;
  const told = issues
    .slice(0, mostIssues)
    .map(({ path, message }) => `${clipped(path.join('.'))}: ${clipped(message)}`)
    .join('; ');
  return issues.length > mostIssues ? `${told}; and ${issues.length - mostIssues} more` : told;
}

function clipped(text: string): string {
  return text.length > mostChars ? `${text.slice(0, mostChars)}…` : text;
}
