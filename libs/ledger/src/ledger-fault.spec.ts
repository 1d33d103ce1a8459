import { describe, expect, it } from '@jest/globals';
import { CannotExecuteNotConnectedError, DataSource, QueryFailedError, QueryRunnerAlreadyReleasedError } from 'typeorm';
import { isOutage, LedgerFault, mayBeDone } from './ledger-fault.js';

const withFields = (message: string, fields: object) => Object.assign(new Error(message), fields);
const ofServer = (code: string, severity = 'ERROR') => withFields(`the server said ${code}`, { code, severity });
const queryFailed = (error: Error) => new QueryFailedError('select 1', [], error);

const lost: [string, Error][] = [
  ...['08000', '08003', '08006', '08P01', '53000', '53100', '53200', '53300', '57014', '57P05', '25P03', '25006'].map(
    (code): [string, Error] => [`the server says ${code}`, ofServer(code)],
  ),
  ...['25P04', '40001', '40P01', '55P03', '58030'].map((code): [string, Error] => [
    `the server says ${code}`,
    ofServer(code),
  ]),
  ...['57P01', '57P02', '57P03', '3D000', '28P01', '28000', '53300', 'XX000'].map((code): [string, Error] => [
    `the session ends with ${code}`,
    ofServer(code, 'FATAL'),
  ]),
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'].map(
    (code): [string, Error] => [`Node says ${code}`, withFields(code, { code })],
  ),
  ['no file may be opened any more', withFields('connect EMFILE', { code: 'EMFILE', syscall: 'connect' })],
  ['there is no such socket', withFields('connect ENOENT', { code: 'ENOENT', syscall: 'connect' })],
  ['a certificate has expired', withFields('certificate has expired', { code: 'CERT_HAS_EXPIRED' })],
  ['TLS breaks', withFields('wrong version number', { code: 'ERR_SSL_WRONG_VERSION_NUMBER' })],
  ['a query runner was released under its user', new QueryRunnerAlreadyReleasedError()],
  ['a data source was never connected', new CannotExecuteNotConnectedError()],
  ...[
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Cannot use a pool after calling end on the pool',
    'Driver not Connected',
    'The server does not support SSL connections',
    'There was an error establishing an SSL connection',
    'Client network socket disconnected before secure TLS connection was established',
  ].map((message): [string, Error] => [`the driver says "${message}"`, new Error(message)]),
  ['each address of a host fails', new AggregateError([withFields('refused', { code: 'ECONNREFUSED' })], 'none')],
  ['the ledger says so', new LedgerFault(new Error('gone'), false)],
];

describe('a database that went away', () => {
  it.each(lost)('is an outage when %s', (_, error) => {
    expect(isOutage(error)).toBe(true);
    if (!(error instanceof AggregateError)) expect(isOutage(queryFailed(error))).toBe(true);
  });

  it('is an outage for a data source that is not connected', async () => {
    const dataSource = new DataSource({ type: 'postgres', url: 'postgres://nobody@127.0.0.1:1/none' });
    const error: unknown = await dataSource.query('select 1').catch((thrown: unknown) => thrown);
    expect(isOutage(error)).toBe(true);
  });

  it.each([
    ['a table is not there', ofServer('42P01')],
    ['a value is there twice', ofServer('23505')],
    ['a statement is wrong', ofServer('42601')],
    ['the server has a bug', ofServer('XX000')],
    ['a file is not there', withFields('ENOENT', { code: 'ENOENT', syscall: 'open' })],
    ['our code is wrong', new TypeError('cannot read properties of undefined')],
  ])('is no outage when %s', (_, error) => {
    expect(isOutage(error)).toBe(false);
    expect(isOutage(queryFailed(error))).toBe(false);
  });
});

describe('a statement that failed', () => {
  it.each([
    ['the server refused it', ofServer('57014'), false],
    ['the session ended meanwhile', ofServer('57P01', 'FATAL'), true],
    ['the connection was lost', new Error('Connection terminated unexpectedly'), true],
    ['the connection was reset', withFields('reset', { code: 'ECONNRESET' }), true],
    ['there was no connection any more', new QueryRunnerAlreadyReleasedError(), false],
    ['the client was closed before', new Error('Client was closed and is not queryable'), false],
  ])('because %s is known to be undone, or is not: %#', (_, error, expected) => {
    expect(mayBeDone(error)).toBe(expected);
  });
});
