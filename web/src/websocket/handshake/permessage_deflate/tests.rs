use super::*;

fn wanted(server_takeover: bool, client_takeover: bool, server: u8, client: u8) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: !server_takeover,
        client_no_context_takeover: !client_takeover,
        server_max_window_bits: WindowBits::new(server).unwrap(),
        client_max_window_bits: WindowBits::new(client).unwrap(),
    }
}

fn response(offers: &[&str], wanted: &DeflateParams) -> Option<String> {
    let accepted = accept(offers.iter().map(|offer| offer.as_bytes()), wanted).unwrap()?;
    // A client reads the same in it.
    let read = extensions::parse([accepted.response.as_bytes()].into_iter()).unwrap();
    assert_eq!(Params::of(&read[0]).unwrap().unwrap().agreed(), accepted.params);
    Some(accepted.response)
}

#[test]
fn a_server_accepts_what_is_offered() {
    let rows = [
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
        (
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10",
        ),
        (
            "permessage-deflate; server_max_window_bits=\"8\"; client_max_window_bits=15",
            "permessage-deflate; client_max_window_bits=15; server_max_window_bits=8",
        ),
        (
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover",
        ),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        ),
        ("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"),
    ];
    for (offer, expected) in rows {
        assert_eq!(response(&[offer], &DeflateParams::default()).as_deref(), Some(expected));
    }
}

#[test]
fn a_server_asks_for_less_than_is_offered() {
    let less = wanted(false, false, 10, 11);
    let rows = [
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=11; client_no_context_takeover; \
             server_max_window_bits=10; server_no_context_takeover",
        ),
        (
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=9; client_no_context_takeover; \
             server_max_window_bits=9; server_no_context_takeover",
        ),
        // The window of a client that offers nothing cannot be limited.
        (
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover; server_max_window_bits=10; \
             server_no_context_takeover",
        ),
    ];
    for (offer, expected) in rows {
        assert_eq!(response(&[offer], &less).as_deref(), Some(expected));
    }
}

#[test]
fn a_server_declines_invalid_offers_and_takes_the_next() {
    let params = [
        "unknown",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=1",
        "server_max_window_bits=+9",
        "client_max_window_bits=16",
        "client_max_window_bits=x",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "client_no_context_takeover=9",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=9; server_max_window_bits=9",
        "client_max_window_bits; client_max_window_bits=9",
        "Server_No_Context_Takeover",
    ];
    for params in params {
        let offer = format!("permessage-deflate; {params}");
        let default = DeflateParams::default();
        assert_eq!(response(&[&offer], &default), None, "{offer}");
        let second = "permessage-deflate; server_max_window_bits=12";
        assert_eq!(response(&[&offer, second], &default).as_deref(), Some(second));
        let list = format!("{offer}, {second}");
        assert_eq!(response(&[&list], &default).as_deref(), Some(second));
    }
    assert_eq!(response(&["other"], &DeflateParams::default()), None);
    let malformed =
        accept([b"permessage-deflate;".as_slice()].into_iter(), &wanted(true, true, 15, 15));
    assert_eq!(malformed, Err(MalformedExtensions));
}

fn client(response: &str, wanted: &DeflateParams) -> Result<Option<DeflateParams>, ResponseError> {
    agreed([response.as_bytes()].into_iter(), wanted)
}

#[test]
fn a_client_offers_what_it_wants() {
    let rows = [
        (DeflateParams::default(), "permessage-deflate; client_max_window_bits"),
        (
            wanted(false, false, 10, 11),
            "permessage-deflate; client_max_window_bits=11; client_no_context_takeover; \
             server_max_window_bits=10; server_no_context_takeover",
        ),
    ];
    for (params, expected) in rows {
        assert_eq!(offer(&params), expected);
    }
}

#[test]
fn a_client_accepts_what_fits_its_offer() {
    let default = DeflateParams::default();
    assert_eq!(client("", &default), Ok(None));
    assert_eq!(client("permessage-deflate", &default), Ok(Some(default)));
    assert_eq!(
        client(
            "permessage-deflate; client_max_window_bits=10; server_max_window_bits=9; \
             server_no_context_takeover; client_no_context_takeover",
            &default
        ),
        Ok(Some(wanted(false, false, 9, 10)))
    );
    // A client keeps its own limits even if the server does not repeat them.
    let own = wanted(true, false, 15, 9);
    assert_eq!(client("permessage-deflate", &own), Ok(Some(own)));
}

#[test]
fn a_client_refuses_what_does_not_fit_its_offer() {
    let default = DeflateParams::default();
    let rows = [
        ("permessage-deflate;", &default, ResponseError::Malformed),
        ("other", &default, ResponseError::NotOffered),
        ("permessage-deflate, permessage-deflate", &default, ResponseError::NotOffered),
        ("permessage-deflate; unknown", &default, ResponseError::Params),
        ("permessage-deflate; client_max_window_bits", &default, ResponseError::Params),
        ("permessage-deflate; server_max_window_bits", &default, ResponseError::Params),
        ("permessage-deflate; server_max_window_bits=16", &default, ResponseError::Params),
        (
            "permessage-deflate; client_max_window_bits=12",
            &wanted(true, true, 15, 11),
            ResponseError::Params,
        ),
        ("permessage-deflate", &wanted(false, true, 15, 15), ResponseError::Params),
        ("permessage-deflate", &wanted(true, true, 12, 15), ResponseError::Params),
        (
            "permessage-deflate; server_max_window_bits=13",
            &wanted(true, true, 12, 15),
            ResponseError::Params,
        ),
    ];
    for (response, wanted, expected) in rows {
        assert_eq!(client(response, wanted), Err(expected), "{response}");
    }
}

#[test]
fn both_sides_agree_on_the_same() {
    for server in
        [wanted(true, true, 15, 15), wanted(false, true, 12, 9), wanted(true, false, 8, 15)]
    {
        for own in
            [wanted(true, true, 15, 15), wanted(false, false, 9, 10), wanted(true, true, 8, 8)]
        {
            let accepted = accept([offer(&own).as_bytes()].into_iter(), &server).unwrap().unwrap();
            assert_eq!(client(&accepted.response, &own), Ok(Some(accepted.params)));
        }
    }
}
