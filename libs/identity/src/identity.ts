/** The port to an identity provider: it gives the principal of a token. */

export interface Principal {
  /** The name of the token, which is the actor of the events that its requests lead to. */
  readonly name: string;
  /** The account whose resources the principal may reach. */
  readonly accountId: string;
  /** The roles as the provider names them. `mayDo` knows those that mean something here. */
  readonly roles: readonly string[];
}

export abstract class Identity {
  /**
   * @returns undefined when there is no token, or it belongs to nobody
   * @throws {IdentityFault} when that can't be found out; nobody is let in then
   */
  abstract authenticate(token: string | undefined): Promise<Principal | undefined>;

  /** Whether a token can be judged without another service. Nobody else is asked for whoever sends many wrong ones. */
  canJudge(_token: string | undefined): boolean {
    return true;
  }
}
