//! What differs between the releases of the real server.

/// Which release the server answers like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Release {
    /// 5.38 of July 2021. The tests compare with a transcript of a real one.
    July2021,
    /// 10.5, from notes on the protocol; it has not been measured.
    #[default]
    Recent,
}

impl Release {
    pub(crate) fn is_recent(self) -> bool {
        self == Self::Recent
    }

    /// The id of the error for a message that is too long.
    pub(crate) fn too_long(self) -> &'static str {
        match self {
            Self::July2021 => "model.post.is_valid.msg.app_error",
            Self::Recent => "model.post.is_valid.message_length.app_error",
        }
    }

    /// The id of the error for a websocket whose token was taken back.
    pub(crate) fn token_gone(self) -> &'static str {
        match self {
            Self::July2021 => "api.context.invalid_token.error",
            Self::Recent => "api.web_socket_router.not_authenticated.app_error",
        }
    }

    /// As the server presents itself.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::July2021 => "5.38.0",
            Self::Recent => "10.5.0",
        }
    }
}
