/**
 * What an account is told of an error in its work. What is left out of that, because it names our own paths, hosts or statements, is in
 * the log: in the line that has the error and this message.
 */
import { randomBytes } from 'node:crypto';
import { faultOf, type ToldFault } from '@strongroom/contracts';

const numbers = new WeakMap<object, string>();

/** The same error gets the same message each time. */
export function toldFault(error: unknown): ToldFault {
  const { isWhole, ...fault } = faultOf(error);
  if (isWhole) return fault;
  return { ...fault, message: `${fault.message} The operator finds why in the log, under ${numberOf(error)}.` };
}

function numberOf(error: unknown): string {
  const isObject = typeof error === 'object' && error !== null;
  const number = (isObject && numbers.get(error)) || randomBytes(4).toString('hex');
  if (isObject) numbers.set(error, number);
  return number;
}
