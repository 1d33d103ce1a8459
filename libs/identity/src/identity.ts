/** The port to who is asking: a token in, the principal whose token it is out. */

export interface Principal {
  /** What the token is called; the actor of the events that follow from its requests. */
  readonly name: string;
  /** The account whose resources the principal may reach. */
  readonly accountId: string;
  /** As the provider names them; see `mayDo` for those that mean something here. */
  readonly roles: readonly string[];
}

export abstract class Identity {
  /**
   * The principal of a token; undefined when there is no token or it is nobody's.
   * @throws {IdentityFault} when that can't be found out; nobody is let in then
   */
  abstract authenticate(token: string | undefined): Promise<Principal | undefined>;
}
