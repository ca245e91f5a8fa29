// Values that may be there already. Even where there is nothing to wait for, each promise on a
// request's way costs two hundredths of what a GET costs as a whole.

/** A value, or a promise of it. */
export type Later<T> = T | Promise<T>;

/** What `next` makes of a value: at once where it is there. */
export function when<T, R>(value: Later<T>, next: (value: T) => Later<R>): Later<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** What `get` gives; if it fails, at once or later, what `rescue` makes of that. */
export function attempt<T>(get: () => Later<T>, rescue: (error: unknown) => T): Later<T> {
  try {
    const value = get();
    return value instanceof Promise ? value.catch(rescue) : value;
  } catch (error) {
    return rescue(error);
  }
}

/** Writes to what `read` gives. If that has changed in between, reads and writes again. */
export function change<T, R>(
  read: () => Later<T>,
  write: (value: T) => Later<R>,
): Later<NonNullable<R>> {
  return when(
    read(),
    (value) => when(write(value), (written) => written || change(read, write)),
  );
}
