/**
 * Ends with 0 when the service of this container is ready. With a certificate, the API takes no plain HTTP from clients, and a name that
 * fits its certificate is not known here: its port for operators tells the same.
 */
import { get } from 'node:http';

const {
  STRONGROOM_HTTP_PORT: http,
  STRONGROOM_PRIVATE_PORT: given,
  STRONGROOM_TLS_CERT: certificate,
  STRONGROOM_TLS_CERT_FILE: file,
} = process.env;
const port = certificate || file ? given || Number(http) + 10 : http;

// Without an agent, the request goes straight, whatever proxy the environment names.
get({ host: '127.0.0.1', port, path: '/health/ready', agent: false }, ({ statusCode }) =>
  process.exit(statusCode === 200 ? 0 : 1),
).on('error', () => process.exit(1));
