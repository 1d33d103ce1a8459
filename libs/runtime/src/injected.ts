/** The tokens of Nest for what has no class: `@Inject(configToken) config: AppConfig`. */
export const configToken = Symbol('AppConfig');
export const loggerToken = Symbol('Logger');
