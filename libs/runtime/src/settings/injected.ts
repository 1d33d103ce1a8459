/**
 * Variables that nobody meant for us: those that Kubernetes injects for each Service of its namespace. A Service named
 * `strongroom-http` makes `STRONGROOM_HTTP_PORT=tcp://10.0.0.1:80`, which is the name of a setting.
 */
const link = /^(tcp|udp|sctp):\/\/[^\s/]+:\d+$/;
const linkNames = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;

/** Whether a platform injected the variable under the name of a setting. No setting has such a value. */
export function isServiceLink(name: string, value: string): boolean {
  return name.endsWith('_PORT') && link.test(value.trim());
}

/** Whether a variable that is no setting is one of those that are injected for a Service. */
export function isOfService(name: string): boolean {
  return linkNames.test(name);
}
