//! Any object as a receipt: it is read as it is or refused, and no other receipt has its signed text.

#![no_main]

use dos_core::json::Object;
use dos_core::witness::Receipt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(object) = serde_json::from_slice::<Object>(input) else { return };
    let Ok(receipt) = Receipt::from_json(&object) else { return };
    let serde_json::Value::Object(again) = receipt.to_json() else { panic!("no object") };
    assert_eq!(again, object);
    let signed = receipt.canonical_bytes();
    assert_eq!(Receipt::from_json(&again).unwrap().canonical_bytes(), signed);
    // One line for each field that is signed, so that no value can pose as another field.
    assert_eq!(signed.split(|byte| *byte == b'\n').count(), 11);
});
