/** Certificates in PEM. TLS passes over in silence what it cannot read of its authorities, and then trusts nobody. */
import { X509Certificate } from "node:crypto";

const BEGIN = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const WHOLE = new RegExp(`${BEGIN.source}[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----`, "g");

/** Whether a text has certificates in it, and can be read as far as it has. */
export function holdsCertificates(text: string): boolean {
  const whole = text.match(WHOLE) ?? [];
  try {
    for (const pem of whole) new X509Certificate(pem);
  } catch {
    return false;
  }
  return whole.length > 0 && whole.length === text.match(BEGIN)?.length;
}

/** Whether it says that there are some. For texts that are looked at often: reading them takes its time. */
export function namesCertificates(text: string): boolean {
  return text.search(BEGIN) >= 0;
}
