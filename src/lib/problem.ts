/** An error as our HTTP answers it. `hint`: what to do about it. */
export function problem(code: string, message: string, hint = "") {
  return { error: { code, message, hint } };
}
