/** What an error of the Kafka client means. The client wraps errors of requests that it has tried several times. */

/** Whether the broker takes no message, or no batch, of that size. */
export function isTooLarge(error: unknown): boolean {
  return withCauses(error).some(
    (each) => 'type' in each && (each.type === 'MESSAGE_TOO_LARGE' || each.type === 'RECORD_LIST_TOO_LARGE'),
  );
}

/** Whether a request got no answer in time. */
export function isTimeout(error: unknown): boolean {
  return withCauses(error).some(({ name }) => name === 'KafkaJSRequestTimeoutError');
}

function withCauses(error: unknown): Error[] {
  const found: Error[] = [];
  for (let each = error; each instanceof Error && !found.includes(each); each = each.cause) {
    found.push(each);
  }
  return found;
}
