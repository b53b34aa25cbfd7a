/** How long records have to be kept, by compliance regime. One table for all outputs. */
import { z } from "zod";

export const PRESETS = ["soc2", "hipaa", "pci_dss", "fedramp", "iso27001", "gdpr"] as const;
export type Preset = (typeof PRESETS)[number];

export interface Retention {
  /** The least; undefined where the regime names none and somebody has to decide. */
  readonly days: number | undefined;
  /** What is usually advised where that is more. */
  readonly recommended?: number;
  /** So many of the days the records must be at hand without restoring anything. */
  readonly immediate?: number;
}

/** Three calendar years hold at most one 29 February, six at most two. */
const YEAR = 365;
const THREE_YEARS = 3 * YEAR + 1;
const SIX_YEARS = 6 * YEAR + 2;

export const RETENTION: Readonly<Record<Preset, Retention>> = {
  // The criteria (AICPA TSC 2017, CC7) name no period; an examination covers up to twelve months, and auditors look back over three.
  soc2: { days: YEAR, recommended: THREE_YEARS },
  // 45 CFR 164.316(b)(2)(i): six years from its creation or from when it last was in effect. 2190 days are short of six calendar years.
  hipaa: { days: SIX_YEARS },
  // PCI DSS 4.0.1, 10.5.1: at least 12 months, with at least the most recent three months immediately available for analysis.
  pci_dss: { days: YEAR, immediate: 90 },
  // NIST SP 800-53 AU-11 as FedRAMP fills it in, with OMB M-21-31: 12 months active and 18 months cold, 30 in all; three years hold that
  // and the records schedules of most agencies (NARA GRS 3.2).
  fedramp: { days: THREE_YEARS },
  // ISO/IEC 27001:2022 A.8.15 and A.5.33 leave the period to the organisation; certificates run for three years.
  iso27001: { days: THREE_YEARS },
  // Regulation (EU) 2016/679, Article 5(1)(e): no longer than necessary. No number can be right for everybody.
  gdpr: { days: undefined },
};

export const preset = () =>
  z.enum(PRESETS).meta({
    doc: "Days from a compliance regime: soc2 365 (1096 recommended), hipaa 2192, pci_dss 365, fedramp 1096, iso27001 1096; gdpr names none, so days must be given too.",
  });

/** Days to keep, or a sentence for the operator. Days that are given count, but not where they are fewer than the regime's. */
export function retentionDays(
  regime: Preset | undefined,
  days: number | undefined,
): { readonly days: number | undefined; readonly error?: string; readonly warning?: string } {
  if (regime === undefined) return { days };
  const { days: least, recommended } = RETENTION[regime];
  if (days === undefined && least === undefined)
    return { days: undefined, error: `${regime} names no period (no longer than necessary): give the days as well` };
  if (days !== undefined && least !== undefined && days < least)
    return { days, error: `${days} days are fewer than the ${least} of ${regime}` };
  const kept = days ?? least;
  if (recommended !== undefined && kept! < recommended)
    return { days: kept, warning: `${regime}: ${recommended} days are recommended, these are ${kept}` };
  return { days: kept };
}
